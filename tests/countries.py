"""A hundred countries with their capitals and currencies: a person's own file."""

from __future__ import annotations

import csv
from pathlib import Path

COUNTRIES = """\
Afghanistan,Kabul,afghani|Albania,Tirana,lek|Algeria,Algiers,dinar
Angola,Luanda,kwanza|Argentina,Buenos Aires,peso|Armenia,Yerevan,dram
Australia,Canberra,dollar|Austria,Vienna,euro|Azerbaijan,Baku,manat
Bahrain,Manama,dinar|Bangladesh,Dhaka,taka|Belarus,Minsk,ruble
Belgium,Brussels,euro|Bhutan,Thimphu,ngultrum|Botswana,Gaborone,pula
Brazil,Brasília,real|Bulgaria,Sofia,lev|Cambodia,Phnom Penh,riel
Cameroon,Yaoundé,franc|Canada,Ottawa,dollar|Chad,N'Djamena,franc
Chile,Santiago,peso|China,Beijing,yuan|Colombia,Bogotá,peso
Croatia,Zagreb,euro|Cuba,Havana,peso|Cyprus,Nicosia,euro
Denmark,Copenhagen,krone|Ecuador,Quito,dollar|Egypt,Cairo,pound
Eritrea,Asmara,nakfa|Estonia,Tallinn,euro|Ethiopia,Addis Ababa,birr
Fiji,Suva,dollar|Finland,Helsinki,euro|France,Paris,euro
Gabon,Libreville,franc|Gambia,Banjul,dalasi|Georgia,Tbilisi,lari
Germany,Berlin,euro|Ghana,Accra,cedi|Greece,Athens,euro
Guatemala,Guatemala City,quetzal|Guinea,Conakry,franc|Haiti,Port-au-Prince,gourde
Honduras,Tegucigalpa,lempira|Hungary,Budapest,forint|Iceland,Reykjavik,króna
India,New Delhi,rupee|Indonesia,Jakarta,rupiah|Iran,Tehran,rial
Iraq,Baghdad,dinar|Ireland,Dublin,euro|Israel,Jerusalem,shekel
Italy,Rome,euro|Jamaica,Kingston,dollar|Japan,Tokyo,yen
Jordan,Amman,dinar|Kazakhstan,Astana,tenge|Kenya,Nairobi,shilling
Kuwait,Kuwait City,dinar|Laos,Vientiane,kip|Latvia,Riga,euro
Lebanon,Beirut,pound|Libya,Tripoli,dinar|Lithuania,Vilnius,euro
Madagascar,Antananarivo,ariary|Malawi,Lilongwe,kwacha|Malaysia,Kuala Lumpur,ringgit
Mali,Bamako,franc|Mexico,Mexico City,peso|Mongolia,Ulaanbaatar,tögrög
Morocco,Rabat,dirham|Mozambique,Maputo,metical|Nepal,Kathmandu,rupee
New Zealand,Wellington,dollar|Nicaragua,Managua,córdoba|Nigeria,Abuja,naira
Norway,Oslo,krone|Oman,Muscat,rial|Pakistan,Islamabad,rupee
Paraguay,Asunción,guaraní|Peru,Lima,sol|Philippines,Manila,peso
Poland,Warsaw,złoty|Portugal,Lisbon,euro|Qatar,Doha,riyal
Romania,Bucharest,leu|Russia,Moscow,ruble|Rwanda,Kigali,franc
Senegal,Dakar,franc|Serbia,Belgrade,dinar|Somalia,Mogadishu,shilling
Spain,Madrid,euro|Sudan,Khartoum,pound|Sweden,Stockholm,krona
Thailand,Bangkok,baht|Turkey,Ankara,lira|Uganda,Kampala,shilling
Zambia,Lusaka,kwacha"""


def table() -> list[tuple[str, str, str]]:
    """Country, capital and currency, a hundred times."""
    rows = (row for line in COUNTRIES.splitlines() for row in line.split("|"))
    return [tuple(row.split(",")) for row in rows]


def capitals(path: Path) -> Path:
    """Two hundred questions: every country's capital and its currency."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Question", "Answer"])
        for country, capital, currency in table():
            writer.writerow([f"What is the capital of {country}?", capital])
            writer.writerow([f"What is the currency of {country}?", currency])
    return path


def lengths(path: Path) -> Path:
    """Two hundred conversions of lengths."""
    units = {"cm": 100, "mm": 1000, "dm": 10, "km": 0.001}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Question", "Answer"])
        for n in range(1, 51):
            for unit, factor in units.items():
                many = f"{n * factor:g}"
                writer.writerow([f"How many {unit} are {n} m?", many])
    return path
